Feature: A step may wait for a verdict like any task

  The result of a reviewed step counts only once it is approved, and the steps that need it wait until then. A
  rejection has the step work again with the feedback; nothing else of the chain is repeated.

  Scenario: The next step waits for the approval
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which              | review | told              |
      | A    | answers "draft"    | yes    |                   |
      | B    | repeats its prompt |        | {previous_output} |
    Then A is pending_review
    And B is waiting because of "needs A"
    When the coordinator approves A
    Then the tasks are
      | task | state     | answer              |
      | B    | completed | echo: Task B. draft |
      | Z    | completed | echo: Task B. draft |
