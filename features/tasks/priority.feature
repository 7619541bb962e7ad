Feature: A higher priority goes first, and nobody blocks the queue

  Waiting tasks start in the order of their priority, and tasks of one priority in the order in which they
  were accepted, so that nobody is overtaken by an equal. A task that cannot run yet, because no slot has the
  role it asks for, is passed over: it waits, but whoever is behind it does not.

  Scenario: Priority decides, then the order of acceptance
    Given a pool of 1 slot
    When the coordinator submits
      | task | which                      | priority |
      | A    | works until it is released |          |
      | B    | answers "b"                | 0        |
      | C    | answers "c"                | 5        |
      | D    | answers "d"                | 5        |
      | E    | answers "e"                | -1       |
    And A is released
    Then A, B, C, D and E are completed
    And the attempts are
      | task |
      | A    |
      | C    |
      | D    |
      | B    |
      | E    |

  Scenario: A task without a slot to run in is passed over
    Given a pool of 1 slot
    When the coordinator submits A, which answers "a", with
      | slot     | reviewer |
      | priority | 9        |
    And the coordinator submits B, which answers "b"
    Then B is completed
    And A is pending because of "slot reviewer"
