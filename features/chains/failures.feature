Feature: Each step says what its failure means for the chain

  By default a failure stops the chain: nothing more starts, what waits is skipped, and the chain has failed. A
  step may also let the others go on without it, or skip the rest without calling the chain a failure. Before
  that a step may try to mend things: its recovery prompt runs once, is told the error, and if it succeeds the
  step has succeeded.

  Scenario: A failure stops the chain
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      |
      | A    | is refused with status 404 |
      | B    | answers "b"                |
    Then the tasks are
      | task | state   | error           |
      | A    | failed  | model_not_found |
      | B    | skipped |                 |
      | Z    | failed  | step_failed     |

  Scenario: The others go on
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      | on failure |
      | A    | is refused with status 404 | continue   |
      | B    | answers "b"                |            |
    Then the tasks are
      | task | state     |
      | A    | failed    |
      | B    | completed |
      | Z    | completed |

  Scenario: The rest is skipped, and that is no failure
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      | on failure |
      | A    | is refused with status 404 | skip_rest  |
      | B    | answers "b"                |            |
    Then the tasks are
      | task | state     |
      | A    | failed    |
      | B    | skipped   |
      | Z    | completed |

  @real
  Scenario: A recovery is told the error
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      | recovery prompt |
      | A    | is refused with status 404 | Mend {error}    |
    Then Z is completed
    And the tasks are
      | task | state     | attempts |
      | A    | completed | 2        |
