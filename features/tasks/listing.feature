Feature: Tasks of all times can be listed

  The log keeps every task. A list shows the latest first, in pages, and can be narrowed to a state, a tag or
  a slot, so that a coordinator finds its own work among that of others.

  Background:
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a", with
      | tags | docs, urgent |
    And the coordinator runs B, which is refused with status 404, with
      | tags | docs |
    And the coordinator runs C, which answers "c"

  Scenario: The latest comes first
    When the coordinator lists tasks
    Then the list shows C, B and A

  Scenario Outline: A list can be narrowed
    When the coordinator lists tasks with
      | <by> | <value> |
    Then the list shows <tasks>

    Examples:
      | by    | value     | tasks         |
      | tag   | docs      | B and A       |
      | tag   | urgent    | A             |
      | state | completed | C and A       |
      | state | failed    | B             |
      | state | cancelled | nothing       |
      | slot  | slot-0    | C, B and A    |
      | slot  | slot-1    | nothing       |

  Scenario: A long list comes in pages
    When the coordinator lists tasks with
      | limit | 1 |
    Then the list shows C
    When the coordinator turns the page
    Then the list shows B
    When the coordinator turns the page
    Then the list shows A
