Feature: The number of slots changes while the pool works

  Slots are added when there is much to do and taken away when there is not, within the bounds that the pool
  was started with. A slot that is to leave ends its task first and is then gone for good: its number is never
  given to another one, so that the log stays readable.

  Scenario: Slots come and go
    Given a pool of 2 slots
    When the coordinator adds 1 slot
    Then the slots are
      | slot   | state |
      | slot-0 | idle  |
      | slot-1 | idle  |
      | slot-2 | idle  |
    When the coordinator removes 2 slots
    And the coordinator adds 1 slot
    Then the slots are
      | slot   | state |
      | slot-0 | idle  |
      | slot-3 | idle  |

  Scenario: A busy slot ends its task before it leaves
    Given a pool of 2 slots
    When the coordinator submits A, which works until it is released and answers "done", with
      | slot | slot-1 |
    And the coordinator submits B, which works until it is released and answers "done", with
      | slot | slot-0 |
    And the coordinator wants 1 slot
    Then the slots are
      | slot   | state    |
      | slot-0 | busy     |
      | slot-1 | draining |
    When A is released
    Then A answers "done"
    And the slots are
      | slot   | state |
      | slot-0 | busy  |

  Scenario: A new slot takes what waits
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And the coordinator submits B, which answers "b"
    And the coordinator wants 2 slots
    Then B is completed
    And A is running

  Scenario Outline: The pool's bounds hold
    Given a pool of 2 slots with
      | min slots | 2 |
      | max slots | 3 |
    When the coordinator <changes>
    Then the coordinator is refused with invalid_argument

    Examples:
      | changes         |
      | adds 2 slots    |
      | removes 1 slot  |
      | wants 1 slot    |
      | wants 4 slots   |
