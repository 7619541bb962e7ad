Feature: Whoever stops waiting cancels nothing

  Coordinators come and go: a session ends, a connection breaks, a call is given up. None of this says that
  the work is not wanted. An accepted task goes on, and whoever asks later gets its result. Only a request to
  cancel cancels.

  @cli
  Scenario: The task of a caller that went away goes on
    Given a pool of 1 slot
    When the coordinator goes away while it runs A, which works until it is released and answers "kept"
    Then A is running
    When A is released
    And the coordinator lists tasks
    Then the list shows A
    And A answers "kept"

  Scenario: A task that was still waiting goes on as well
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released
    And the coordinator goes away while it runs B, which answers "kept"
    Then B is pending because of "slot"
    When A is released
    Then B answers "kept"
