Feature: One warm process serves task after task

  Starting a CLI takes most of a second; handing the next prompt to one that waits takes milliseconds. So a
  slot keeps its process. Each task still begins with an empty conversation, which is prepared while the slot
  is idle: what one task told the model, the next one does not know. Model, effort and permission mode are
  changed in the running process.

  @real
  Scenario: Tasks follow one another in one process, each in a conversation of its own
    Given a pool of 1 slot
    When the coordinator submits
      | task | which                       |
      | A    | answers "a"                 |
      | B    | answers "b"                 |
      | C    | recalls its conversation    |
    Then C remembers nothing
    And the attempts are
      | task | slot   | process | conversation | how   |
      | A    | slot-0 | 1       | 1            | fresh |
      | B    | slot-0 | 1       | 2            | fresh |
      | C    | slot-0 | 1       | 3            | fresh |

  @real
  Scenario: Another model needs no other process
    Given a pool of 1 slot with
      | model | sonnet |
    When the coordinator submits
      | task | which           | model | effort | permission mode |
      | A    | names its model |       |        |                 |
      | B    | names its model | opus  | low    | acceptEdits     |
      | C    | names its model |       |        |                 |
    Then the tasks are
      | task | answer            | model             |
      | A    | claude-sonnet-5-5 | claude-sonnet-5-5 |
      | B    | claude-opus-5-5   | claude-opus-5-5   |
      | C    | claude-sonnet-5-5 | claude-sonnet-5-5 |
    And the attempts are
      | task | process |
      | A    | 1       |
      | B    | 1       |
      | C    | 1       |

  Scenario: A process that has served long enough is replaced while nobody waits for it
    Given a pool of 1 slot with
      | recycle after | 2 |
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which answers "b"
    And the coordinator runs C, which answers "c"
    Then the attempts are
      | task | process |
      | A    | 1       |
      | B    | 1       |
      | C    | 2       |
    And the slots are
      | slot   | state | restarts | tasks completed |
      | slot-0 | idle  | 0        | 3               |
