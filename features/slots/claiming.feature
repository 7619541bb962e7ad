Feature: A claim asks for the pool's ordinary decision

  The pool gives work to slots by itself, at once, so there is seldom anything left to claim. A coordinator
  may still ask it to look at one slot now. The ordinary rules hold: a claim passes over neither the queue nor
  a pause nor the budget, and it says why nothing was given.

  Scenario: Nothing waits
    Given a pool of 1 slot
    When the coordinator claims work for slot-0
    Then nothing is claimed because "slot-0 is free: no pending task can run there now"

  Scenario: The slot is busy
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And the coordinator submits B, which answers "b"
    And the coordinator claims work for slot-0
    Then nothing is claimed because "slot-0 is busy: it is not free"
    And B is pending because of "slot"

  Scenario: There is no such slot
    Given a pool of 1 slot
    When the coordinator claims work for slot-4
    Then the coordinator is refused with not_found
