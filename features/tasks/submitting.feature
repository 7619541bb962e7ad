Feature: A submitted task is accepted at once and goes on by itself

  Submitting returns an id as soon as the task is in the log, whether or not a slot is free. From then on
  nobody has to stay: the task runs when its turn comes, and its view tells at any time what it does or why
  it waits. An accepted task is never lost, and one that was refused was never accepted.

  @cli
  Scenario: A task waits for a slot and says so
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released and answers "first"
    And the coordinator submits B, which answers "second"
    Then A is running
    And B is pending because of "slot"
    When A is released
    Then A answers "first"
    And B answers "second"

  Scenario: Slots work side by side
    Given a pool of 2 slots
    When the coordinator submits
      | task | which                                        |
      | A    | works until it is released and answers "one" |
      | B    | works until it is released and answers "two" |
    Then A and B are running
    When B is released
    Then B is completed
    And A is running
    When A is released
    Then A is completed

  @cli
  Scenario: Nobody can look at a task that was never accepted
    Given a pool of 1 slot
    When the coordinator looks at Z
    Then the coordinator is refused with not_found
