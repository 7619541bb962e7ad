Feature: A task may go on with its slot's conversation

  The slot's conversation is that of the last task that ran there. With the session `slot` a task continues
  it, even if the process has moved on to another conversation or is a new one; in a slot where nothing ran it
  starts fresh. A pool can be told to do so for all tasks.

  @real
  Scenario: The slot's conversation goes on
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which recalls its conversation, with
      | session | slot |
    Then B remembers A
    And the attempts are
      | task | conversation | how   |
      | A    | 1            | fresh |
      | B    | 1            | slot  |

  Scenario: A slot in which nothing ran has none yet
    Given a pool of 1 slot
    When the coordinator runs A, which recalls its conversation, with
      | session | slot |
    Then A remembers nothing

  Scenario: It is the last task's conversation, whatever that began
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which answers "b"
    And the coordinator runs C, which recalls its conversation, with
      | session | slot |
    Then C remembers B

  Scenario: A new process continues it as well
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    And the process of slot-0 dies
    And the coordinator runs B, which recalls its conversation, with
      | session | slot |
    Then B remembers A

  Scenario: A pool may keep its slots' conversations by default
    Given a pool of 1 slot with
      | session | slot |
    When the coordinator submits
      | task | which                    | session |
      | A    | answers "a"              |         |
      | B    | answers "b"              |         |
      | C    | recalls its conversation |         |
      | D    | recalls its conversation | fresh   |
    Then C remembers A and B
    And D remembers nothing
    And the attempts are
      | task | process | conversation |
      | A    | 1       | 1            |
      | B    | 1       | 1            |
      | C    | 1       | 1            |
      | D    | 1       | 2            |
