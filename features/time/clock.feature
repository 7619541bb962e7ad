Feature: The pool's time passes, whatever becomes of the clock

  A machine's clock may be wrong, and may be set. The pool reads it once, when its owner starts, and counts
  from there by a clock that nobody sets and that goes on while the machine sleeps. So no deadline is cut
  short or stretched, and no event of the log is older than the one before it, not even under another owner.

  Scenario: A clock that is set forward ends nothing early
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released, with
      | timeout seconds | 60 |
    And A is at work
    And the clock is set forward by 1 hours
    Then A is running
    When 60 seconds pass
    Then A fails for good with timed_out_task

  Scenario: A clock that is set back delays nothing
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released, with
      | timeout seconds | 60 |
    And A is at work
    And the clock is set back by 1 hours
    And 60 seconds pass
    Then A fails for good with timed_out_task

  Scenario: A machine that has slept finds its deadlines over
    Given a pool of 1 slot with
      | queue timeout | 30 s |
    When the coordinator submits A, which works until it is released, with
      | timeout seconds | 60 |
    And A is at work
    And the coordinator submits B, which answers "too late"
    And 28800 seconds pass
    Then A fails for good with timed_out_task
    And B fails for good with timed_out_queue

  Scenario: A new owner goes on from the log's last time
    Given a pool of 1 slot with
      | log           | file |
      | queue timeout | 30 s |
    When the coordinator submits A, which answers "late", with
      | slot | reviewer |
    And the clock is set back by 2 hours
    And the pool is stopped and started again
    And 30 seconds pass
    Then A fails for good with timed_out_queue
    And the log adds up
