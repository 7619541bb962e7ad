Feature: An attempt is limited in time where someone says so

  A task may limit how long one attempt of it runs (timeout_seconds), and the pool may set that limit for all
  (--task-timeout). The attempt is then interrupted, and the task fails with timed_out_task; what it cost is
  paid, and its conversation can be resumed. Time spent waiting for a slot is not time spent working.

  Scenario: An attempt that takes too long is interrupted
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released, with
      | timeout seconds | 60 |
    And A is at work
    And 59 seconds pass
    Then A is running
    When 1 second passes
    Then A fails for good with timed_out_task

  Scenario: The pool's limit holds for tasks that bring none
    Given a pool of 2 slots with
      | task timeout | 60 s |
    When the coordinator submits
      | task | which                      | timeout seconds |
      | A    | works until it is released |                 |
      | B    | works until it is released | 300             |
    And A is at work
    And 60 seconds pass
    Then A fails for good with timed_out_task
    And B is running

  Scenario: Waiting for a slot is not working
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And the coordinator submits B, which answers "in time", with
      | timeout seconds | 60 |
    And 100 seconds pass
    And A is released
    Then B answers "in time"

  Scenario: The slot of an interrupted attempt goes on
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released, with
      | timeout seconds | 60 |
    And A is at work
    And 60 seconds pass
    And the coordinator runs B, which answers "next"
    Then the attempts are
      | task | end       | slot   | process |
      | A    | failed    | slot-0 | 1       |
      | B    | succeeded | slot-0 | 1       |
