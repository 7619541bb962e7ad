Feature: Waiting for the first attempt may have an end

  With --queue-timeout a task that has not begun in time fails with timed_out_queue, and has cost nothing. The
  time counts from its submission, whatever the task waits for: a slot, money, a pause or a limit of the
  provider. A task that has run once is never given up this way, however long it waits for its next attempt.

  Scenario: Waiting for a slot has a limit of its own
    Given a pool of 1 slot with
      | queue timeout | 30 s |
    When the coordinator submits A, which works until it is released
    And the coordinator submits B, which answers "too late"
    And 30 seconds pass
    Then B fails for good with timed_out_queue
    And A is running

  Scenario: Waiting for money is waiting, too
    Given a pool of 2 slots with
      | queue timeout | 30 s |
      | budget        | $1   |
      | task budget   | $0.8 |
    When the coordinator submits A, which works until it is released
    And A is at work
    And the coordinator submits B, which answers "too late"
    Then B is parked
    When 30 seconds pass
    Then B fails for good with timed_out_queue
    And A is running

  Scenario: A task that has run waits for its next attempt without that limit
    Given a pool of 1 slot with
      | queue timeout | 30 s |
    When the coordinator submits A, which is refused with status 500 once and answers "at last", with
      | retries | 1 |
    Then A is parked
    When 60 seconds pass
    Then A answers "at last"
