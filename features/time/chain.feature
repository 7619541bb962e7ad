Feature: A chain is limited in time as a whole

  A chain may have timeout_seconds of its own, for all of its steps together, with their waits and retries.
  What runs then is interrupted, what waits is skipped, and the chain fails with timed_out_chain.

  Scenario: A chain that takes too long ends with the step that runs
    Given a pool of 1 slot
    When the coordinator chains as Z within 60 seconds
      | task | which                      |
      | A    | works until it is released |
      | B    | answers "never"            |
    And A is at work
    And 60 seconds pass
    Then the tasks are
      | task | state   | error           |
      | A    | failed  | timed_out_chain |
      | B    | skipped |                 |
      | Z    | failed  | timed_out_chain |

  Scenario: A chain that is done in time is left alone
    Given a pool of 1 slot
    When the coordinator chains as Z within 60 seconds
      | task | which       |
      | A    | answers "a" |
    Then A answers "a"
    When 60 seconds pass
    Then the tasks are
      | task | state     |
      | Z    | completed |
