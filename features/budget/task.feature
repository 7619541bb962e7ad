Feature: A task's own budget is where it is interrupted

  A task may say what all its attempts together may cost, and the pool may say it for tasks that do not. Cost
  is metered while the model answers, and an attempt that reaches the limit is interrupted there and then. The
  task fails, and what it had cost until then is paid.

  @real
  Scenario: An attempt is interrupted at its budget
    Given a pool of 1 slot
    When the coordinator submits A, which goes on for 100 words and uses 100 and 2000 tokens, with
      | max budget usd | $0.001 |
    Then A fails for good with task_budget_reached
    And A costs between $0.001 and $0.01

  Scenario: The pool's limit holds for tasks that bring none
    Given a pool of 2 slots with
      | task budget | $0.001 |
    When the coordinator submits
      | task | which                                              | max budget usd |
      | A    | goes on for 100 words and uses 100 and 2000 tokens |                |
      | B    | answers "b" and uses 100 and 2000 tokens           | $0.1           |
    Then A fails for good with task_budget_reached
    And B is completed

  Scenario: The budget covers all attempts together
    Given a pool of 1 slot
    When the coordinator submits A, which loses its process and uses 1000 and 100 tokens, with
      | retries        | 5      |
      | max budget usd | $0.005 |
    Then A is parked because of "backoff"
    When 60 seconds pass
    Then A is parked because of "backoff"
    When 60 seconds pass
    Then A fails for good with task_budget_reached
    And the attempts are
      | task | attempt | reserved |
      | A    | 1       | $0.005   |
      | A    | 2       | $0.00299 |
      | A    | 3       | $0.00098 |
