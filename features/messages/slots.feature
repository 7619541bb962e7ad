Feature: A slot writes, reads and asks with tools of its own

  A slot need not wait until its task has ended to say something. It has tools of its own, and the pool knows
  from the process that uses them which slot it is, so that nobody can write in another's name. With them it
  leaves a message for another slot, reads what came since its task began, and asks the coordinator. A
  question waits for its answer, but not for long: a slot that waits does no work. They are allowed in every
  permission mode, because they touch nothing but the pool.

  @real @cli
  Scenario: A slot writes to another one
    Given a pool of 2 slots
    When the coordinator runs A, which writes "Port 8080 is taken." to slot-1, with
      | slot | slot-0 |
    And the coordinator runs B, which repeats its prompt, with
      | slot | slot-1 |
    Then B was told
      | from   | text                |
      | slot-0 | Port 8080 is taken. |

  @real
  Scenario: A slot asks, and goes on with the answer
    Given a pool of 1 slot
    When the coordinator submits A, which asks "Left or right?"
    Then the inbox of the coordinator is
      | from   | text           | state   |
      | slot-0 | Left or right? | waiting |
    When the coordinator writes "Left." to slot-0
    Then A is completed
    And the inbox of slot-0 is
      | from        | text  | state |
      | coordinator | Left. | read  |

  Scenario: A question that nobody answers does not hold its task up
    Given a pool of 1 slot
    When the coordinator runs A, which asks "Is anybody there?" in vain
    Then A is completed
    And the inbox of the coordinator is
      | from   | text              | state   |
      | slot-0 | Is anybody there? | waiting |

  Scenario: A slot reads what came since its task began
    Given a pool of 1 slot
    When the coordinator runs A, which writes "A note to myself." to slot-0 and reads its messages
    Then A is completed
    And the inbox of slot-0 is
      | from   | text              | state |
      | slot-0 | A note to myself. | read  |
