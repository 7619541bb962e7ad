Feature: A chain may work in a copy of the repository

  Agents that edit the same files at once spoil each other's work, and the user's. A chain in a worktree or clone
  has a directory and a branch of its own, made from the commit that is checked out, with the repository's hooks
  off. Its steps run one at a time there. Whatever becomes of the chain, all its work is committed to that branch
  before the directory goes; nobody's uncommitted work is touched. Where a copy cannot be made the chain fails
  before anything has run: it never works in the shared directory instead.

  @real
  Scenario: The work lies on a branch of its own
    Given a pool of 1 slot with
      | repository      | yes               |
      | permission mode | bypassPermissions |
    When the coordinator chains as Z in a worktree
      | task | which        |
      | A    | writes b.txt |
      | B    | writes c.txt |
    Then Z is completed
    And the repository holds
      | branch | files               |
      | main   | a.txt               |
      | Z      | a.txt, b.txt, c.txt |

  @real
  Scenario: The work is merged
    Given a pool of 1 slot with
      | repository      | yes               |
      | permission mode | bypassPermissions |
    When the coordinator chains as Z in a clone that is merged by ff
      | task | which        |
      | A    | writes b.txt |
    Then Z is completed
    And the repository holds
      | branch | files        |
      | main   | a.txt, b.txt |

  Scenario: A failed chain's work is kept and not merged
    Given a pool of 1 slot with
      | repository      | yes               |
      | permission mode | bypassPermissions |
    When the coordinator chains as Z in a worktree that is merged by merge
      | task | which                      |
      | A    | writes b.txt               |
      | B    | is refused with status 404 |
    Then Z is failed
    And the repository holds
      | branch | files        |
      | main   | a.txt        |
      | Z      | a.txt, b.txt |

  Scenario: A copy that cannot be made fails the chain
    Given a pool of 1 slot with
      | repository | none |
    When the coordinator chains as Z in a worktree
      | task | which       |
      | A    | answers "a" |
    Then the tasks are
      | task | state   | error            |
      | A    | skipped |                  |
      | Z    | failed  | isolation_failed |
