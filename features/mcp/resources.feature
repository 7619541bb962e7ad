Feature: The pool can be read at its own addresses

  Everything a coordinator may want to look at has an address that begins with `pool://`: the status, the
  slots, the money, the shared values, whole results, events and transcripts. Reading changes nothing, and
  what stands there is what the tools return.

  Background:
    Given a pool of 1 slot with
      | budget | $1 |
    When the coordinator sets the value "branch" to "release-7"
    And the coordinator runs A, which answers with 30000 characters

  Scenario Outline: What lies where
    When a coordinator connects
    And it reads <address>
    Then it is given
      | <field> | <value> |

    Examples:
      | address          | field                | value         |
      | pool://status    | completed_tasks      | 1             |
      | pool://slots     | slots.0.slot_id      | "slot-0"      |
      | pool://slots/slot-0 | tasks_completed   | 1             |
      | pool://budget    | spent_microdollars   | 400           |
      | pool://context   | branch               | "release-7"   |
      | pool://results/A | state                | "completed"   |
      | pool://events/1  | name                 | "pool.opened" |

  Scenario: A result is whole at its address
    When a coordinator connects
    And it reads pool://results/A
    Then what it read has more than 30000 characters
    When it reads pool://transcripts/A
    Then what it read has more than 30000 characters

  Scenario Outline: Where nothing lies
    When a coordinator connects
    And it reads <address>
    Then it is told "<text>"

    Examples:
      | address                               | text                                                |
      | pool://slots/slot-8                   | [not_found] There is no slot slot-8.                |
      | pool://results/task-aaaaaaaaaaaaaaaa  | [not_found] There is no task task-aaaaaaaaaaaaaaaa. |
      | pool://events/9999                    | [not_found] There is no event 9999.                 |
      | pool://weather                        | [not_found] There is no resource pool://weather.    |
