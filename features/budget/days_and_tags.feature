Feature: Limits hold for a day, or for a tag, as well

  Beside the pool's own there can be a hard and a soft limit of each day, which begins at midnight UTC, and of
  every tag. A task needs money at each level that it belongs to, and the strictest one decides. What is spent
  for today waits for tomorrow; a tag whose money is spent takes nothing new. A tag is counted from its first
  limit on, and a reset counts all of them anew.

  Scenario: What today cannot pay waits for tomorrow
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | scope   | day    |
      | set usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "budget"
    When 86400 seconds pass
    Then B answers "b"

  Scenario: A tag whose money is spent takes nothing new
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | scope   | tag:night |
      | set usd | $0.003    |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens, with
      | tags | night |
    And the coordinator submits B, which answers "b", with
      | tags | day, night |
    Then the coordinator is refused with budget_exceeded
    When the coordinator runs C, which answers "c" and uses 1000 and 100 tokens
    Then the accounts are
      | scope     | limit  | spent  | free |
      | pool      |        | $0.006 |      |
      | day       |        | $0.006 |      |
      | tag:night | $0.003 | $0.003 | $0   |

  Scenario: A lifted limit lets everything run
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | scope   | day    |
      | set usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "budget"
    When the coordinator changes the budget with
      | scope | day   |
      | lift  | limit |
    Then B answers "b"

  Scenario: The question of a day ends with the day
    Given a pool of 1 slot
    When the coordinator changes the budget with
      | scope    | day    |
      | soft usd | $0.003 |
    And the coordinator runs A, which answers "a" and uses 1000 and 100 tokens
    And the coordinator submits B, which answers "b"
    Then B is parked because of "soft_limit"
    When 86400 seconds pass
    Then B answers "b"
    And the accounts are
      | scope | soft   | asks |
      | pool  |        | no   |
      | day   | $0.003 | no   |
