Feature: The log tells what happened, step by step

  Whatever a pool does is an event in its log before it is done, and the log is never rewritten. So the story
  of a task or of a slot can be read at any time: every step, who caused it and what came of it. Nobody has to
  guess afterwards why a task waited, failed or cost what it did.

  Scenario: A task from its acceptance to its answer
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    Then the story of A is
      | event             | actor       |
      | task.submitted    | coordinator |
      | attempt.started   | policy      |
      | session.opened    | policy      |
      | attempt.succeeded | slot        |
      | task.completed    | slot        |

  Scenario: A task that was tried twice
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 once and answers "a", with
      | retries | 1 |
    Then A is parked because of "backoff"
    When 1 second passes
    Then A is completed
    And the story of A is
      | event             | actor       |
      | task.submitted    | coordinator |
      | attempt.started   | policy      |
      | session.opened    | policy      |
      | attempt.failed    | slot        |
      | task.parked       | slot        |
      | task.unparked     | policy      |
      | attempt.started   | policy      |
      | session.opened    | policy      |
      | attempt.succeeded | slot        |
      | task.completed    | slot        |

  Scenario: A task that was cancelled while it ran
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And A is at work
    And the coordinator cancels A
    Then the story of A is
      | event                 | actor       |
      | task.submitted        | coordinator |
      | attempt.started       | policy      |
      | session.opened        | policy      |
      | task.cancel_requested | coordinator |
      | attempt.cancelled     | slot        |
      | task.cancelled        | slot        |

  Scenario: A slot from its first process to its next empty conversation
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    Then the story of slot-0 is
      | event                 | actor  |
      | slot.added            | policy |
      | slot.launch_started   | policy |
      | slot.launched         | slot   |
      | slot.claimed          | policy |
      | slot.released         | slot   |
      | slot.clear_started    | policy |
      | slot.session_prepared | slot   |

  Scenario: Nothing is told of what never was
    Given a pool of 1 slot
    When the coordinator asks why Z is as it is
    Then the coordinator is refused with not_found
    When the coordinator asks why slot-7 is as it is
    Then the coordinator is refused with not_found
