Feature: A new owner finds the pool as the old one left it

  Owners come and go with their coordinators; the pool is what the log says. Shared values, the names and
  roles of slots, slots that were given up, results and counters are all there again. An owner that is stopped
  lets running attempts end and leaves waiting tasks in the log; one that is stopped at once seals what runs,
  and the next owner does with it as after a crash.

  Scenario: Shared values, identities and results are kept
    Given a pool of 2 slots with
      | log | file |
    When the coordinator sets the value "branch" to "release-7"
    And the coordinator configures slot-1 with
      | name | Ada      |
      | role | reviewer |
    And the coordinator runs A, which answers "kept"
    And the pool is stopped and started again
    Then A answers "kept"
    And the values are
      | branch | release-7 |
    And the slots are
      | slot   | state | name | role     | tasks completed |
      | slot-0 | idle  |      |          | 1               |
      | slot-1 | idle  | Ada  | reviewer | 0               |

  Scenario: A waiting task waits on
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which answers "a", with
      | slot | reviewer |
    And the pool is stopped and started again
    Then A is pending because of "slot reviewer"
    When the coordinator configures slot-0 with
      | role | reviewer |
    Then A is completed

  Scenario: A slot that was given up stays so
    Given a pool of 2 slots with
      | log | file |
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
    When the pool is stopped and started again
    Then the slots are
      | slot   | state  |
      | slot-0 | failed |
      | slot-1 | idle   |
    When the coordinator resumes the pool
    Then the slots are
      | slot   | state |
      | slot-0 | idle  |
      | slot-1 | idle  |

  Scenario: What runs when the owner is stopped at once is sealed
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And A is at work
    And the pool is stopped at once and started again
    Then A is sealed because of "sealed"
    When the coordinator runs B, which answers "b"
    Then B is completed

  @cli
  Scenario: A conversation can be continued under another owner
    Given a pool of 1 slot with
      | log | file |
    When the coordinator runs A, which answers "a"
    And the pool is stopped at once and started again
    And the coordinator runs B, which recalls its conversation, with
      | session | resume A |
    Then B remembers A
