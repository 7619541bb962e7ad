Feature: Somebody decides on a task whose outcome is unknown

  A sealed task is a question, too: nobody knows how far its last attempt came. One whose `on_interrupt` is `ask`
  asks at once; others ask when they have gone on by themselves as often as they may, or cannot. Whoever has
  looked can have it run again from the beginning, take up the conversation that was cut off, or cancel it. A
  conversation is taken up at most once, and only where something of it was seen; it is told that its work was
  cut off.

  Scenario: A sealed task runs again
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And A is at work
    And the owner dies and another one takes over
    Then A is sealed because of "sealed"
    When A is released
    And the coordinator answers A with rerun
    Then A is completed
    And the attempts are
      | task | attempt | end       | how   |
      | A    | 1       | sealed    | fresh |
      | A    | 2       | succeeded | fresh |

  @real
  Scenario: A conversation that was cut off is taken up
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And A is at work
    And the owner dies and another one takes over
    Then A is sealed because of "sealed"
    When A is released
    And the coordinator answers A with resume
    Then A is completed
    And the attempts are
      | task | attempt | conversation | end       | how    |
      | A    | 1       | 1            | sealed    | fresh  |
      | A    | 2       | 1            | succeeded | resume |

  Scenario: A sealed task is cancelled
    Given a pool of 1 slot with
      | log | file |
    When the coordinator submits A, which works until it is released, with
      | on interrupt | ask |
    And A is at work
    And the owner dies and another one takes over
    Then A is sealed because of "sealed"
    When the coordinator answers A with cancel
    Then A is cancelled
