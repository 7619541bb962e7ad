Feature: At a soft limit the pool asks before it goes on

  A hard limit stops; a soft one asks. Once what is spent has reached it, new attempts wait and say so, and one
  question (kind soft_limit) is put to whoever looks: go on, for some dollars more or up to the hard limit, or
  stop. What runs is not disturbed. While the limit is only reached by what attempts have reserved, new ones
  wait for these to end, and nobody is asked. Another limit or a reset closes the question, too.

  Scenario: What comes after a soft limit waits for an answer
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | soft usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "soft_limit"
    And the pool asks "The soft limit of the pool ($0.003000) is reached: $0.003000 spent, $0.000000 reserved; no hard limit. May it go on?"
    When the coordinator answers the pool with continue
    Then B answers "b"

  Scenario: Some dollars more are asked about when they are spent
    Given a pool of 1 slot with
      | budget | $1 |
    When the coordinator changes the budget with
      | soft usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator answers the pool with continue and $0.003 more
    And the coordinator runs B, which answers "b" and uses 1000 and 100 tokens
    Then the pool asks "The soft limit of the pool ($0.006000) is reached: $0.006000 spent, $0.000000 reserved; the hard limit is $1.000000. May it go on?"
    And the accounts are
      | scope | limit | soft   | spent  | asks |
      | pool  | $1    | $0.006 | $0.006 | yes  |
      | day   |       |        | $0.006 | no   |
    When the coordinator answers the pool with continue and $0.003 more
    And the coordinator runs C, which answers "c"
    Then C is completed

  Scenario: Stop gives up what waits, and refuses more
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | soft usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "soft_limit"
    When the coordinator answers the pool with stop
    Then B fails for good with budget_exceeded
    When the coordinator submits C, which answers "c"
    Then the coordinator is refused with budget_exceeded

  Scenario: What runs goes on
    Given a pool of 2 slots
    When the coordinator submits A, which works until it is released
    And A is at work
    And the coordinator changes the budget with
      | soft usd | $0.003 |
    And the coordinator runs B, which answers "b" and uses 1000 and 100 tokens
    And the coordinator answers the pool with stop
    Then A is running
    When A is released
    Then A is completed

  Scenario: Another limit takes the place of an answer
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | soft usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "soft_limit"
    When the coordinator changes the budget with
      | soft usd | $0.01 |
    Then B answers "b"
    And the accounts are
      | scope | soft  | asks |
      | pool  | $0.01 | no   |
      | day   |       | no   |

  Scenario: The next owner still waits for the answer
    Given a pool of 1 slot with
      | log | file |
    When the coordinator changes the budget with
      | soft usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "soft_limit"
    When the pool is stopped and started again
    Then B is parked because of "soft_limit"
    When the coordinator answers the pool with continue
    Then B answers "b"
