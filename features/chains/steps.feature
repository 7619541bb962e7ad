Feature: A chain hands each step what the steps before it have found

  A chain is several tasks that wait for each other. A step starts as soon as the steps that it needs are done:
  the one before it unless it says otherwise, so that a list of steps is a pipeline and anything else is a graph.
  Its prompt may hold `{previous_output}`, which stands for the outputs of the steps that it needs, and
  `{steps.A.output}` for that of any step before it. They are filled in once, when the step starts; an output
  that holds a placeholder of its own is only text by then.

  @real @cli
  Scenario: Each step sees the output of the one before it
    Given a pool of 2 slots
    When the coordinator chains as Z
      | task | which              | told                  |
      | A    | answers "parsley"  |                       |
      | B    | repeats its prompt | Chop {previous_output} |
      | C    | repeats its prompt | Recall {steps.A.output} |
    Then the tasks are
      | task | state     | answer                       |
      | A    | completed | parsley                      |
      | B    | completed | echo: Task B. Chop parsley   |
      | C    | completed | echo: Task C. Recall parsley |
      | Z    | completed | echo: Task C. Recall parsley |

  Scenario: Steps that do not need each other run at once
    Given a pool of 2 slots
    When the coordinator chains as Z
      | task | which                      | needs | told              |
      | A    | answers "a"                |       |                   |
      | B    | works until it is released | A     |                   |
      | C    | works until it is released | A     |                   |
      | D    | repeats its prompt         | B, C  | {previous_output} |
    Then B and C are running
    And D is waiting because of "needs B, C"
    When B is released
    And C is released
    Then D is completed
    And Z is completed

  Scenario: An output adds no file and no command to the next prompt
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                | told                  |
      | A    | answers "/clear @me" |                       |
      | B    | repeats its prompt   | Say {previous_output} |
    Then the tasks are
      | task | answer                       |
      | B    | echo: Task B. Say /clear ​@me |

  Scenario: A step is a task like any other
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which                          | retries |
      | A    | is refused with status 500 once | 1       |
    Then A is parked because of "backoff"
    When 2 seconds pass
    Then the tasks are
      | task | state     | attempts |
      | A    | completed | 2        |

  Scenario: A chain that cannot be is refused as a whole
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which       | needs |
      | A    | answers "a" | B     |
      | B    | answers "b" | A     |
    Then the coordinator is refused with invalid_argument
    When the coordinator chains as Y
      | task | which       | told                |
      | A    | answers "a" | {steps.Q.output}    |
    Then the coordinator is refused with invalid_argument

  Scenario: A wait for a chain tells of the chain and not of its steps
    Given a pool of 1 slot
    When the coordinator chains as Z
      | task | which       |
      | A    | answers "a" |
      | B    | answers "b" |
    And the coordinator waits for Z
    Then the wait tells of Z
