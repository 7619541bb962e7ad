Feature: A process that dies is replaced, and one that keeps dying is given up

  Processes die: memory runs out, a machine is busy, a program has a fault. The slot then starts another one
  and goes on. After a second such end in a row it rests for a second, then for two, then for four. But three
  within a minute, or five in a row, are no accident. The slot is taken out of service instead of burning time
  and money, and says why. It is tried again by itself, as quarantine.feature tells; once the cause is mended,
  resuming the pool brings it back at once. A pool in which no slot is left refuses work rather than accept
  what it could not do.

  Scenario: An idle process that dies is replaced
    Given a pool of 1 slot
    When the process of slot-0 dies
    Then the slots are
      | slot   | state | restarts |
      | slot-0 | idle  | 1        |
    When the coordinator runs A, which answers "a"
    Then the attempts are
      | task | process |
      | A    | 2       |

  Scenario: Three ends within a minute take the slot out of service
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
    And the slots are
      | slot   | state  | restarts |
      | slot-0 | failed | 3        |
      | slot-1 | idle   | 0        |
    When the coordinator runs D, which answers "d"
    Then the tasks are
      | task | state     | slot   |
      | D    | completed | slot-1 |

  Scenario: Ends that lie further apart are accidents
    Given a pool of 1 slot
    When the coordinator runs A, which loses its process
    And the coordinator runs B, which loses its process
    And 60 seconds pass
    And the coordinator runs C, which loses its process
    And 2 seconds pass
    Then the slots are
      | slot   | state | restarts |
      | slot-0 | idle  | 3        |

  Scenario: Resuming the pool brings the slot back
    Given a pool of 1 slot
    When the coordinator runs A, which loses its process
    And the coordinator runs B, which loses its process
    And 1 second passes
    And the coordinator runs C, which loses its process
    And the coordinator submits D, which answers "d"
    Then the coordinator is refused with slot_failed
    When the coordinator resumes the pool
    And the coordinator runs E, which answers "e"
    Then E is completed

  Scenario Outline: A pool that cannot start any slot says why
    Given a pool of 2 slots with
      | CLI | <is> |
    When 1 second passes
    And the coordinator submits A, which answers "a"
    Then the coordinator is refused with <code>
    And the slots are
      | slot   | state  |
      | slot-0 | failed |
      | slot-1 | failed |

    Examples:
      | is                   | code        |
      | missing              | cli_missing |
      | crashes at its start | slot_failed |

  Scenario: A conversation that cannot be cleared costs the process
    Given a pool of 1 slot with
      | CLI | cannot clear |
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which recalls its conversation
    Then B remembers nothing
    And the attempts are
      | task | process |
      | A    | 1       |
      | B    | 2       |
