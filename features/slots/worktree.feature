Feature: Every slot may work in a work tree of its own

  Slots that edit one directory spoil each other's work. With `-w` each slot has a work tree of the pool's
  repository, on the branch `claude-pool/slot-N`, made before its process starts and found again by the next
  owner. When the slot leaves service its work is committed to that branch first; the directory goes only with a
  slot that retires. Where a work tree cannot be made the slot fails: it never works in the shared directory
  instead.

  @real
  Scenario: The work of a slot that leaves service lies on its branch
    Given a pool of 2 slots with
      | repository      | yes               |
      | own worktrees   | yes               |
      | permission mode | bypassPermissions |
    When the coordinator submits
      | task | which        | slot   |
      | A    | writes b.txt | slot-1 |
      | B    | writes c.txt | slot-0 |
    Then A and B are completed
    When the coordinator drains the pool to finish
    Then the slots are
      | slot   | state   |
      | slot-0 | stopped |
      | slot-1 | stopped |
    And the repository holds
      | branch             | files        |
      | main               | a.txt        |
      | claude-pool/slot-0 | a.txt, c.txt |
      | claude-pool/slot-1 | a.txt, b.txt |

  Scenario: A slot whose work tree cannot be made fails
    Given a pool of 1 slot with
      | repository    | none |
      | own worktrees | yes  |
    Then the slots are
      | slot   | state  |
      | slot-0 | failed |
    When the coordinator submits
      | task | which       |
      | A    | answers "a" |
    Then the coordinator is refused with isolation_failed
