Feature: Money is set aside before it is spent

  Several attempts run at once, so looking at the spend alone would let them exceed the limit together. Each
  attempt therefore reserves what it may cost before it starts, and settles what it did cost when it ends. A
  task with a limit of its own reserves that much. Every other one reserves what its next call costs at worst, or
  an equal share of a small budget, and is topped up from what is free while it runs. A task whose money is only
  reserved by others waits and says so; one that can never be paid is given up.

  Scenario: A task reserves its own limit
    Given a pool of 2 slots with
      | budget | $0.1 |
    When the coordinator submits A, which works until it is released and uses 1000 and 100 tokens, with
      | max budget usd | $0.04 |
    And A is at work
    Then the budget is
      | limit | spent | reserved | free  |
      | $0.1  | $0    | $0.04    | $0.06 |
    When A is released
    Then A costs $0.003
    And the budget is
      | limit | spent  | reserved | free   |
      | $0.1  | $0.003 | $0       | $0.097 |

  Scenario: Tasks without a limit share a small budget
    Given a pool of 2 slots with
      | budget | $0.1 |
    When the coordinator submits
      | task | which                      |
      | A    | works until it is released |
      | B    | works until it is released |
    Then A and B are running
    And the attempts are
      | task | reserved |
      | A    | $0.05    |
      | B    | $0.05    |

  Scenario: A task waits while others hold its money
    Given a pool of 2 slots with
      | budget | $0.1 |
    When the coordinator submits A, which works until it is released, with
      | max budget usd | $0.08 |
    And the coordinator submits B, which answers "b", with
      | max budget usd | $0.05 |
    Then B is parked because of "budget"
    When the coordinator submits C, which answers "c", with
      | max budget usd | $0.02 |
    Then C is completed
    When A is released
    Then B answers "b"

  Scenario: A waiting task that can never be paid is given up
    Given a pool of 2 slots with
      | budget | $0.01 |
    When the coordinator submits A, which works until it is released and uses 2000 and 100 tokens, with
      | max budget usd | $0.01 |
    And A is at work
    And the coordinator submits B, which answers "b", with
      | max budget usd | $0.009 |
    Then B is parked because of "budget"
    When A is released
    Then B fails for good with budget_exceeded
    And A is completed

  Scenario: More money lets a waiting task run
    Given a pool of 2 slots with
      | budget | $0.01 |
    When the coordinator submits A, which works until it is released, with
      | max budget usd | $0.01 |
    And the coordinator submits B, which answers "b", with
      | max budget usd | $0.005 |
    Then B is parked because of "budget"
    When the coordinator sets the budget to $0.02
    Then B answers "b"
