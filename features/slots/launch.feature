Feature: What a process is bound to from its start takes another process

  Some options can only be given to a process when it starts: the system prompt, the tools, the form of the
  answer, the number of turns and the directory. A task that differs in one of them is run in a new process of
  the slot, without anybody having to ask for it. Where several slots are free, the one whose process fits is
  taken, so that processes are kept as long as possible.

  Scenario Outline: Another <option> takes another process
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which answers "b", with
      | <option> | <value> |
    And the coordinator runs C, which answers "c"
    Then the attempts are
      | task | slot   | process |
      | A    | slot-0 | 1       |
      | B    | slot-0 | 2       |
      | C    | slot-0 | 3       |

    Examples:
      | option           | value      |
      | system prompt    | Be brief.  |
      | disallowed tools | Bash       |
      | allowed tools    | Read       |
      | tools            | Read, Grep |
      | max turns        | 5          |
      | working dir      | elsewhere  |

  @real
  Scenario: The slot whose process fits is taken
    Given a pool of 2 slots
    When the coordinator submits
      | task | which       | slot   | system prompt |
      | A    | answers "a" | slot-1 | Be brief.     |
      | B    | answers "b" |        |               |
    Then A and B are completed
    When the coordinator runs C, which answers "c", with
      | system prompt | Be brief. |
    Then the attempts are
      | task | slot   | process |
      | A    | slot-1 | 2       |
      | B    | slot-0 | 1       |
      | C    | slot-1 | 2       |
