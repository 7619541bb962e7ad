Feature: A result under review counts only once somebody approves it

  Some results must be looked at before anything builds upon them. A task that is submitted for review does not
  end with its result: it waits, pending_review, until somebody approves or rejects it. It holds no slot
  meanwhile, it is no reason for the pool to stay, and a crash leaves it as it is. A wait tells of it, because it
  needs someone. Only one verdict is given on a result.

  @real @cli
  Scenario: An approved result completes the task
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft"
    Then A is pending_review because of "review"
    When the coordinator approves A
    Then A answers "a draft"

  Scenario: A wait tells of a result to judge, and later of the end
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft"
    Then A is pending_review
    When the coordinator waits
    Then the wait tells of A
    When the coordinator approves A
    And the coordinator asks what is new
    Then the wait tells of A

  Scenario: A failure is not reviewed
    Given a pool of 1 slot
    When the coordinator submits for review A, which is refused with status 404
    Then A fails for good with model_not_found

  Scenario: There is one verdict on a result
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft"
    Then A is pending_review
    When the coordinator approves A
    And the coordinator approves A
    Then the coordinator is refused with wrong_state
    When the coordinator rejects A, saying "too late"
    Then the coordinator is refused with wrong_state

  Scenario: Without a review there is no verdict
    Given a pool of 1 slot
    When the coordinator runs A, which answers "done"
    And the coordinator approves A
    Then the coordinator is refused with wrong_state
    When the coordinator rejects B, saying "no such task"
    Then the coordinator is refused with not_found

  Scenario: What waits for a verdict can be cancelled and listed
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft"
    And the coordinator submits for review B, which answers "another"
    Then A and B are pending_review
    When the coordinator lists tasks with
      | state | pending_review |
    Then the list shows B and A
    When the coordinator cancels A
    Then A is cancelled

  Scenario: A crash leaves what waits for a verdict as it is
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits for review A, which answers "a draft"
    Then A is pending_review
    When the owner dies and another one takes over
    Then A is pending_review
    When the coordinator approves A
    Then A answers "a draft"
