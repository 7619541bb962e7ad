Feature: A wait tells of each ending once

  A coordinator that has many tasks out waits for any of them. Each answer carries a cursor, and the next
  wait begins there: nothing is told twice and nothing is missed, also when tasks end while nobody waits.
  A wait that finds something returns at once.

  Scenario: What ended before the first wait is told at once
    Given a pool of 1 slot
    When the coordinator submits A, which answers "one"
    And the coordinator submits B, which is refused with status 404
    Then A is completed
    And B is failed
    When the coordinator waits
    Then the wait tells of A and B

  Scenario: From the cursor on only what is new is told
    Given a pool of 1 slot
    When the coordinator runs A, which answers "one"
    And the coordinator waits
    Then the wait tells of A
    When the coordinator asks what is new
    Then the wait tells of nothing
    When the coordinator submits B, which answers "two"
    And the coordinator waits
    Then the wait tells of B

  Scenario: The first of several to end is told
    Given a pool of 2 slots
    When the coordinator submits A, which works until it is released
    And the coordinator submits B, which answers "two"
    And the coordinator waits for A and B
    Then the wait tells of B
    When A is released
    And the coordinator waits for A and B
    Then the wait tells of A
