Feature: A task begins with an empty conversation unless it asks for another

  What a model has read stays with it, costs tokens in every later turn, and colours its answers. So a task
  starts fresh by default, whatever ran in its slot before. Whoever wants to go on says so: with the slot's
  conversation, or with one that is named.

  Scenario: Nothing of the task before is known
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a secret"
    And the coordinator runs B, which recalls its conversation
    Then B remembers nothing
    And the attempts are
      | task | conversation | how   |
      | A    | 1            | fresh |
      | B    | 2            | fresh |

  Scenario: Each attempt of a task begins anew
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 once and recalls its conversation, with
      | retries | 1 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A remembers nothing
    And the attempts are
      | task | attempt | conversation |
      | A    | 1       | 1            |
      | A    | 2       | 2            |
