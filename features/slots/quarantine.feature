Feature: A slot that is out of service is tried again by itself

  What made processes die may be over a minute later: a full disk was cleared, a program was put back. So a
  slot that was taken out of service is tried again, after a minute first and then after ever longer, ten
  minutes at most. A trial is one launch and one attempt. Where both go well, the slot is as good as new; a
  single failure puts it out of service again. Nobody has to watch, and resuming the pool tries at once.

  Scenario: A slot comes back once the cause is mended
    Given a pool of 1 slot
    When the coordinator runs A, which loses its process
    And the coordinator runs B, which loses its process
    And 1 second passes
    And the coordinator runs C, which loses its process
    Then the slots are
      | slot   | state  |
      | slot-0 | failed |
    When 60 seconds pass
    And the coordinator runs D, which answers "d"
    Then D is completed
    And the slots are
      | slot   | state | restarts |
      | slot-0 | idle  | 3        |

  Scenario: A trial that fails is repeated after twice as long
    Given a pool of 1 slot with
      | CLI | crashes at its start |
    When 1 second passes
    And 60 seconds pass
    Then the slots are
      | slot   | state  | restarts |
      | slot-0 | failed | 4        |
    When 60 seconds pass
    Then the slots are
      | slot   | state  | restarts |
      | slot-0 | failed | 4        |
    When 60 seconds pass
    Then the slots are
      | slot   | state  | restarts |
      | slot-0 | failed | 5        |

  Scenario: A healthy slot goes first
    Given a pool of 2 slots
    When the coordinator submits
      | task | which              | slot   |
      | A    | loses its process  | slot-0 |
      | B    | loses its process  | slot-0 |
    Then A and B are failed
    When 1 second passes
    And the coordinator submits
      | task | which              | slot   |
      | C    | loses its process  | slot-0 |
    Then C is failed
    When 60 seconds pass
    And the coordinator runs D, which answers "d"
    Then the tasks are
      | task | state     | slot   |
      | D    | completed | slot-1 |
