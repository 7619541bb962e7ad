Feature: A task may say where it runs

  A task can name one slot, or a role that any number of slots may have. It then waits for these slots only,
  however idle the others are. Naming a slot that is not in service is a mistake and is refused; a role that
  no slot has yet may still come, so the task waits for it.

  Scenario: A task waits for the slot that it names
    Given a pool of 2 slots
    When the coordinator submits A, which works until it is released, with
      | slot | slot-1 |
    And the coordinator submits B, which answers "b", with
      | slot | slot-1 |
    Then B is pending because of "slot slot-1"
    When A is released
    Then B is completed
    And the attempts are
      | task | slot   |
      | A    | slot-1 |
      | B    | slot-1 |

  Scenario: A task waits for a slot with the role that it names
    Given a pool of 2 slots
    When the coordinator submits A, which answers "a", with
      | slot | reviewer |
    Then A is pending because of "slot reviewer"
    When the coordinator configures slot-1 with
      | role | reviewer |
    Then A is completed
    And the attempts are
      | task | slot   |
      | A    | slot-1 |

  Scenario: A slot that is not there is refused
    Given a pool of 1 slot
    When the coordinator submits A, which answers "a", with
      | slot | slot-7 |
    Then the coordinator is refused with not_found
