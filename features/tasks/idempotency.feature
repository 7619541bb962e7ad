Feature: A submission with a key is accepted once

  A coordinator that got no answer cannot know whether its task was accepted, and submitting it again might
  pay for it twice. With an idempotency key it can repeat the call as often as it likes: the same key gives
  the same task, also after the task has ended and after the pool's owner was replaced. The same key with
  another meaning is a mistake and is refused.

  @cli
  Scenario: The same key gives the same task
    Given a pool of 1 slot
    When the coordinator submits A, which answers "once", with
      | idempotency key | report-7 |
    And the coordinator submits A again as B
    Then A and B are one task
    And A is completed
    When the coordinator submits A again as C
    Then A and C are one task

  Scenario: The key is known to the owner that takes over
    Given a pool of 1 slot with
      | log | file |
    When the coordinator runs A, which answers "once", with
      | idempotency key | report-7 |
    And the owner dies and another one takes over
    And the coordinator runs A again as B
    Then A and B are one task

  Scenario: The same key with another meaning is refused
    Given a pool of 1 slot
    When the coordinator submits A, which answers "once", with
      | idempotency key | report-7 |
    And the coordinator submits A again as B, with
      | priority | 5 |
    Then the coordinator is refused with idempotency_conflict

  Scenario: Another key is another task
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a", with
      | idempotency key | report-7 |
    And the coordinator runs A again as B, with
      | idempotency key | report-8 |
    Then A and B are two tasks

  Scenario: Without a key the same words are another task
    Given a pool of 1 slot
    When the coordinator runs A, which answers "once"
    And the coordinator runs A again as B
    Then A and B are two tasks
