Feature: A slot may be somebody

  A slot can be given a name, a role and a description, and options of its own. Its conversations are told who
  they are, tasks can ask for the role, and the slot's options hold for tasks that bring none. What is left
  out of a change stays as it is.

  Scenario: A change leaves the rest as it is
    Given a pool of 2 slots
    When the coordinator configures slot-0 with
      | name        | Ada              |
      | role        | reviewer         |
      | description | Reads every line |
    And the coordinator configures slot-0 with
      | role | writer |
    Then the slots are
      | slot   | name | role   | description      | state |
      | slot-0 | Ada  | writer | Reads every line | idle  |
      | slot-1 |      |        |                  | idle  |

  Scenario: A change holds from the next task on
    Given a pool of 1 slot
    When the coordinator submits A, which works until it is released and says whether it was told "Ada"
    And A is at work
    And the coordinator configures slot-0 with
      | name | Ada |
    And A is released
    And the coordinator runs B, which says whether it was told "Ada"
    Then A answers "no"
    And B answers "yes"

  @real
  Scenario: A conversation is told whose it is
    Given a pool of 1 slot
    When the coordinator configures slot-0 with
      | name | Ada      |
      | role | reviewer |
    And the coordinator runs A, which says whether it was told "Your role: reviewer."
    Then A answers "yes"

  Scenario Outline: Slots are found by what is known of them
    Given a pool of 3 slots
    When the coordinator configures slot-0 with
      | name | Ada      |
      | role | reviewer |
    And the coordinator configures slot-2 with
      | role | reviewer |
    And the coordinator submits A, which works until it is released, with
      | slot | slot-2 |
    And the coordinator finds slots with
      | <by> | <value> |
    Then the list shows <slots>

    Examples:
      | by    | value    | slots             |
      | name  | Ada      | slot-0            |
      | role  | reviewer | slot-0 and slot-2 |
      | state | busy     | slot-2            |
      | state | idle     | slot-0 and slot-1 |
      | role  | writer   | nothing           |

  Scenario: A slot that is found has all that was asked for
    Given a pool of 2 slots
    When the coordinator configures slot-0 with
      | role | reviewer |
    And the coordinator configures slot-1 with
      | role | reviewer |
      | name | Ada      |
    And the coordinator finds slots with
      | role | reviewer |
      | name | Ada      |
    Then the list shows slot-1

  Scenario: A slot's own model holds for tasks that name none
    Given a pool of 1 slot
    When the coordinator configures slot-0 with
      | model | opus |
    And the coordinator submits
      | task | which           | model |
      | A    | names its model |       |
      | B    | names its model | haiku |
    Then A answers "claude-opus-5-5"
    And B is completed
    And the tasks are
      | task | model            |
      | A    | claude-opus-5-5  |
      | B    | claude-sonnet-5-5 |
