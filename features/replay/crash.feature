Feature: A crash loses nothing, and nothing is silently run twice

  When the owner dies, its slots' processes die with it within a second. The next owner reads the log: what
  waited goes on waiting, and then runs. Of what was running nobody can know how far it came, and running it
  again might do the work, and spend the money, a second time. So it is sealed, and paid for as far as it was
  seen. Then its `on_interrupt` counts: it goes on in its conversation, which is told that it was cut off
  (`resume`, once; this is what a task does that says nothing), it runs again as it was ordered (`rerun`, three
  times at most), or it stays as it is until somebody decides (`ask`). What may not go on by itself any more
  asks, too.

  @cli @real
  Scenario: What was cut off goes on in its conversation
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released
    And A is at work
    And the owner dies and another one takes over
    And A is at work
    And A is released
    Then A is completed
    And the attempts are
      | task | attempt | conversation | end       | how    |
      | A    | 1       | 1            | sealed    | fresh  |
      | A    | 2       | 1            | succeeded | resume |

  Scenario: It goes on once, and then asks
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released
    And A is at work
    And the owner dies and another one takes over
    And A is at work
    And the owner dies and another one takes over
    Then A is sealed because of "sealed"
    When the coordinator answers A with rerun
    And A is released
    Then A is completed
    And the story of A is
      | event           | actor       |
      | task.submitted  | coordinator |
      | attempt.started | policy      |
      | session.opened  | policy      |
      | attempt.sealed  | recovery    |
      | task.sealed     | recovery    |
      | task.reopened   | policy      |
      | attempt.started | policy      |
      | session.opened  | policy      |
      | attempt.sealed  | recovery    |
      | task.sealed     | recovery    |
      | task.reopened   | coordinator |
      | attempt.started | policy      |
      | session.opened  | policy      |
      | attempt.succeeded | slot      |
      | task.completed  | slot        |

  Scenario: What may be done twice runs again
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | rerun |
    And A is at work
    And the owner dies and another one takes over
    And A is released
    Then A is completed
    And the attempts are
      | task | attempt | end       | how   |
      | A    | 1       | sealed    | fresh |
      | A    | 2       | succeeded | fresh |

  @cli
  Scenario: What ran is sealed, what waited runs
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And the coordinator submits B, which answers "b"
    And A is at work
    And the owner dies and another one takes over
    Then A is sealed because of "sealed"
    And B answers "b"
    And the tasks are
      | task | state  | success | error       | attempts |
      | A    | sealed |         | interrupted | 1        |

  Scenario: A sealed task costs what was seen of it
    Given a pool of 1 slot with
      | log    | file |
      | budget | $1   |
    When the coordinator submits A, which works until it is released and uses 1000 and 100 tokens, with
      | on interrupt | ask |
    And A is at work
    And the owner dies and another one takes over
    Then A is sealed
    And the budget is
      | limit | spent    | reserved |
      | $1    | $0.00201 | $0       |

  Scenario: A sealed task is told of like one that ended
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And A is at work
    And the owner dies and another one takes over
    And the coordinator waits
    Then the wait tells of A
    When the coordinator cancels A
    And the coordinator asks what is new
    Then the wait tells of A

  Scenario: A sealed task is settled by cancelling it
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And A is at work
    And the owner dies and another one takes over
    And the coordinator cancels A
    Then the story of A is
      | event             | actor       |
      | task.submitted    | coordinator |
      | attempt.started   | policy      |
      | session.opened    | policy      |
      | attempt.sealed    | recovery    |
      | task.sealed       | recovery    |
      | task.cancelled    | coordinator |

  Scenario: A retry that waits for its time still comes
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which is refused with status 500 once and answers "a", with
      | retries | 1 |
    Then A is parked because of "backoff"
    When the owner dies and another one takes over
    Then A is parked because of "backoff"
    When 1 second passes
    Then A answers "a"
