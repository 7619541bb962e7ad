Feature: Nothing new starts where there is no room for it

  A full disk ends a night of work badly: what slots print can no longer be kept, nor what became of it. So
  below a floor of free space no attempt starts; what runs goes on, and there is room left to record its end.
  Memory is guarded in the same way: a slot gets no process while one more would leave too little. One process
  may always run, however little there is, so that a small machine does its work one task after the other. Both
  are looked at again every two seconds, and nobody has to resume anything.

  Scenario: Below the floor of the disk tasks wait, and say what for
    Given a pool of 1 slot with
      | free disk | 100000000 MB |
    When the coordinator submits A, which answers "a"
    Then A is pending because of "disk_space"

  Scenario: Resuming the pool makes no room
    Given a pool of 1 slot with
      | free disk | 100000000 MB |
    When the coordinator submits A, which answers "a"
    And the coordinator resumes the pool
    And 2 seconds pass
    Then A is pending because of "disk_space"

  Scenario: Without memory for a second process one slot does all the work
    Given a pool of 2 slots with
      | free memory | 100000000 MB |
    When the coordinator submits
      | task | which       |
      | A    | answers "a" |
      | B    | answers "b" |
    And the coordinator waits for A and B
    Then the tasks are
      | task | state     | slot   |
      | A    | completed | slot-0 |
      | B    | completed | slot-0 |
