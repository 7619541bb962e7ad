Feature: A drain lets the pool run empty

  Before a machine is taken away or a pool is put to rest, nothing new should begin. A drain refuses new work,
  lets what was accepted end, or cancels it, and then ends the processes of the slots. It can be taken back at
  any time: the slots start again and work is accepted as before.

  Scenario: Accepted work ends, new work is refused
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released and answers "a"
    And the coordinator submits B, which answers "b"
    And the coordinator drains the pool to finish
    And the coordinator submits C, which answers "c"
    Then the coordinator is refused with draining
    When A is released
    Then A answers "a"
    And B answers "b"
    And the slots are
      | slot   | state   |
      | slot-0 | stopped |

  Scenario: Accepted work is cancelled
    Given a pool of 1 slot
    When the coordinator fans out without waiting
      | task | which                      |
      | A    | works until it is released |
      | B    | answers "b"                |
    And the coordinator drains the pool to cancel
    Then A and B are cancelled
    And the slots are
      | slot   | state   |
      | slot-0 | stopped |

  Scenario: A drain can be undone
    Given a pool of 1 slot
    When the coordinator drains the pool to finish
    Then the slots are
      | slot   | state   |
      | slot-0 | stopped |
    When the coordinator drains the pool to undo
    And the coordinator runs A, which answers "a"
    Then A is completed
    And the slots are
      | slot   | state | restarts |
      | slot-0 | idle  | 0        |

  Scenario: A retry that waits for its time is accepted work
    Given a pool of 1 slot
    When the coordinator submits A, which is refused with status 500 once and answers "a", with
      | retries | 1 |
    Then A is parked because of "backoff"
    When the coordinator drains the pool to finish
    And 1 second passes
    Then A answers "a"

  Scenario: A new owner ends a drain
    Given a pool of 1 slot with
      | log | file |
    When the coordinator drains the pool to finish
    And the pool is stopped and started again
    And the coordinator runs A, which answers "a"
    Then A is completed

  Scenario: Undone after a cancel, it takes new work, and what was cancelled stays cancelled
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And the coordinator drains the pool to cancel
    Then A is cancelled
    When the coordinator drains the pool to undo
    And the coordinator runs B, which answers "b"
    Then B is completed
    And A is cancelled
