Feature: A budget is never exceeded knowingly

  A pool can be given a limit in dollars. What is spent is counted from what the tokens served really cost,
  in whole microdollars. Once the limit is reached nothing more is accepted, and the refusal says what is
  spent, what is reserved and what the limit is. Raising the limit keeps the spend; resetting the budget
  counts it anew.

  @real
  Scenario: What is spent is what the tokens cost
    Given a pool of 1 slot with
      | budget | $1 |
    When the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator runs B, which answers "b" and uses 2000 and 50 tokens
    Then the budget is
      | limit | spent   | reserved | free    |
      | $1    | $0.0075 | $0       | $0.9925 |

  @cli
  Scenario: A spent budget refuses work
    Given a pool of 1 slot with
      | budget | $0.004 |
    When the coordinator runs A, which answers "a" and uses 1000 and 200 tokens
    And the coordinator submits B, which answers "b"
    Then the coordinator is refused with budget_exceeded
    And the budget is
      | limit  | spent  | free |
      | $0.004 | $0.004 | $0   |
    When the coordinator looks at B
    Then the coordinator is refused with not_found

  Scenario: A raised limit keeps the spend
    Given a pool of 1 slot with
      | budget | $0.004 |
    When the coordinator runs A, which answers "a" and uses 1000 and 200 tokens
    And the coordinator sets the budget to $0.01
    And the coordinator runs B, which answers "b" and uses 1000 and 100 tokens
    Then the budget is
      | limit | spent  | free   |
      | $0.01 | $0.007 | $0.003 |

  Scenario: A reset counts the spend anew
    Given a pool of 1 slot with
      | budget | $0.004 |
    When the coordinator runs A, which answers "a" and uses 1000 and 200 tokens
    And the coordinator resets the budget
    And the coordinator runs B, which answers "b" and uses 1000 and 100 tokens
    Then the budget is
      | limit  | spent  | free   |
      | $0.004 | $0.003 | $0.001 |

  Scenario: A new owner begins no new budget
    Given a pool of 1 slot with
      | budget | $0.004 |
      | log    | file   |
    When the coordinator runs A, which answers "a" and uses 1000 and 200 tokens
    And the coordinator resets the budget
    And the coordinator runs B, which answers "b" and uses 1000 and 100 tokens
    And the pool is stopped and started again
    Then the budget is
      | limit  | spent  | free   |
      | $0.004 | $0.003 | $0.001 |

  Scenario: A task that may cost more than is left is refused
    Given a pool of 1 slot with
      | budget | $0.01 |
    When the coordinator submits A, which answers "a", with
      | max budget usd | $0.02 |
    Then the coordinator is refused with budget_exceeded

  Scenario: A lower limit stops only new work
    Given a pool of 1 slot with
      | budget | $1 |
    When the coordinator submits A, which works until it is released and uses 1000 and 100 tokens
    And A is at work
    And the coordinator sets the budget to $0.001
    And A is released
    Then A is completed
    When the coordinator submits B, which answers "b"
    Then the coordinator is refused with budget_exceeded
