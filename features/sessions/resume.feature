Feature: A task may continue or branch off a conversation that it names

  Every task's view names its conversation. A later task can resume it, in whatever slot is free, or fork it:
  a fork knows all that was said and leaves the original as it is. A conversation has at most one live attempt,
  for two would overwrite one another.

  @real
  Scenario: A conversation is resumed in another slot
    Given a pool of 2 slots
    When the coordinator runs A, which answers "a", with
      | slot | slot-0 |
    And the coordinator runs B, which recalls its conversation, with
      | session | resume A |
      | slot    | slot-1   |
    Then B remembers A
    And the attempts are
      | task | slot   | conversation | how    |
      | A    | slot-0 | 1            | fresh  |
      | B    | slot-1 | 1            | resume |

  @real
  Scenario: A fork leaves the original as it is
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which answers "b", with
      | session | fork A |
    And the coordinator runs C, which recalls its conversation, with
      | session | resume A |
    And the coordinator runs D, which recalls its conversation, with
      | session | resume B |
    Then C remembers A
    And D remembers A and B
    And the attempts are
      | task | conversation | how    |
      | A    | 1            | fresh  |
      | B    | 2            | fork   |
      | C    | 1            | resume |
      | D    | 2            | resume |

  Scenario: A conversation that its process still holds needs no other process
    Given a pool of 1 slot with
      | session | slot |
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which recalls its conversation, with
      | session | resume A |
    Then B remembers A
    And the attempts are
      | task | process |
      | A    | 1       |
      | B    | 1       |

  Scenario: Whoever resumes a busy conversation waits for it
    Given a pool of 2 slots
    When the coordinator submits A, which works until it is released
    And A is at work
    And the coordinator submits B, which recalls its conversation, with
      | session | resume A |
    Then B is pending because of "session_busy"
    When A is released
    Then B remembers A

  Scenario: Two that resume one conversation follow one another
    Given a pool of 2 slots
    When the coordinator runs A, which answers "a"
    And the coordinator submits B, which works until it is released, with
      | session | resume A |
    And the coordinator submits C, which recalls its conversation, with
      | session | resume A |
    Then C is pending because of "session_busy"
    When B is released
    Then C remembers A and B

  Scenario: A busy conversation cannot be forked
    Given a pool of 2 slots
    When the coordinator submits A, which works until it is released
    And A is at work
    And the coordinator submits B, which answers "b", with
      | session | fork A |
    Then the coordinator is refused with session_busy

  @real
  Scenario Outline: A conversation that nobody had cannot be continued
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a", with
      | session | <how> 00000000-0000-4000-8000-000000000000 |
    Then A fails for good with session_not_found
    When the coordinator runs B, which answers "b"
    Then B is completed

    Examples:
      | how    |
      | resume |
      | fork   |
