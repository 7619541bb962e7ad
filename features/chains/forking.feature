Feature: A chain is taken up again from one of its steps

  A chain costs time and money step by step, and often it goes wrong late. Whoever knows where forks it there: a
  new chain counts the steps before as done, with what they gave on record, starts no task for them and pays
  nothing for them. That step, all that needs it and all that did not complete run anew, with another prompt for
  the first of them if one is given. The first chain stays as it was.

  @real @cli
  Scenario: What went wrong runs again, and what follows it
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      | told                   |
      | A    | answers "parsley"          |                        |
      | B    | is refused with status 404 |                        |
      | C    | repeats its prompt         | Serve {steps.A.output} |
    Then the tasks are
      | task | state     |
      | A    | completed |
      | C    | skipped   |
      | Z    | failed    |
    When the coordinator forks Z as Y from B, which now answers "chopped"
    Then the tasks are
      | task | state     | attempts | answer                      |
      | A    | completed | 0        | parsley                     |
      | B    | completed | 1        | chopped                     |
      | C    | completed | 1        | echo: Task C. Serve parsley |
    And Y is completed
    And Z is failed

  Scenario: A step is not the first while something that it needs is not done
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                      |
      | A    | is refused with status 404 |
      | B    | answers "b"                |
    Then Z is failed
    When the coordinator forks Z as Y from B, which now answers "c"
    Then the coordinator is refused with wrong_state

  @real
  Scenario: A copy of the repository begins as the reused steps left theirs
    Given a pool of 1 slot with
      | repository      | yes               |
      | permission mode | bypassPermissions |
    When the coordinator chains as Z in a worktree
      | task | which        |
      | A    | writes b.txt |
      | B    | writes c.txt |
    Then Z is completed
    When the coordinator forks Z as Y from B, which now writes d.txt
    Then Y is completed
    And the repository holds
      | branch | files               |
      | Z      | a.txt, b.txt, c.txt |
      | Y      | a.txt, b.txt, d.txt |
