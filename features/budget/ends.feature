Feature: Every attempt costs what it cost, however it ended

  Tokens that were served are paid for, also when the attempt was interrupted, cancelled or lost with its
  process. A refusal by the provider serves none and costs nothing. What nobody accounted for is metered from
  the tokens that were seen, and marked as an estimate.

  Scenario: A refusal costs nothing
    Given a pool of 1 slot
    When the coordinator runs A, which is refused with status 500
    Then A costs $0

  @real
  Scenario: A cancelled attempt costs what was served
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released and uses 1000 and 100 tokens
    And A is at work
    And the coordinator cancels A
    Then A costs between $0.002 and $0.003

  Scenario: An attempt that was lost with its process costs what was served
    Given a pool of 1 slot
    When the coordinator runs A, which loses its process and uses 1000 and 100 tokens
    Then A costs between $0.002 and $0.003
    And the tasks are
      | task | state  | cost estimated |
      | A    | failed | yes            |

  Scenario: The attempts of a task add up
    Given a pool of 1 slot
    When the coordinator submits A, which loses its process and uses 1000 and 100 tokens, with
      | retries | 1 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A costs $0.00402
    And the attempts are
      | task | attempt | end    | cost     |
      | A    | 1       | failed | $0.00201 |
      | A    | 2       | failed | $0.00201 |
