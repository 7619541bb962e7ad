Feature: A chain is cancelled as a whole, a step only as a step

  Cancelling a chain interrupts what runs, skips what waits, and ends in `cancelled`. Cancelling the task of one
  step is not the same: the step is cancelled, without retries and without its recovery, and then counts as one
  that did not succeed.

  Scenario: A chain is cancelled
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      |
      | A    | works until it is released |
      | B    | answers "b"                |
    Then A is running
    When the coordinator cancels Z
    Then the tasks are
      | task | state     |
      | A    | cancelled |
      | B    | skipped   |
      | Z    | cancelled |

  Scenario: The task of a step is cancelled
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      | recovery prompt | retries |
      | A    | works until it is released | Mend it         | 2       |
      | B    | answers "b"                |                 |         |
    Then A is running
    When the coordinator cancels A
    Then the tasks are
      | task | state     | error       |
      | A    | cancelled |             |
      | B    | skipped   |             |
      | Z    | failed    | step_failed |

  Scenario: What has ended is not cancelled any more
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which       |
      | A    | answers "a" |
    Then Z is completed
    When the coordinator cancels Z
    Then the coordinator is refused with wrong_state
