Feature: A workflow is a chain with a name

  What one does again and again in several steps is kept as a workflow: a YAML file with steps as chains have
  them, and arguments. Later steps say where the output of earlier ones belongs. A file that means something
  else than it says is worse than none, so everything in it is checked, and each fault is told with its line.

  Scenario: Three workflows come with the program
    Given a pool of 1 slot
    When a coordinator connects
    And it calls pool_list_workflows with
      """
      {}
      """
    Then it is given
      | workflows.0.name  | "issue_to_pr"                             |
      | workflows.1.name  | "refactor_and_test"                       |
      | workflows.2.name  | "review_and_fix"                          |
      | workflows.2.steps | ["review", "apply_fixes", "verify_fixes"] |

  Scenario: A workflow of the project becomes a chain
    Given a pool of 1 slot
    And the project has the file ".claude-pool/workflows/brew.yaml"
      """
      description: Brews.
      arguments:
        - name: leaf
          required: true
      steps:
        - name: boil
          prompt: Boil water for {leaf}
        - name: pour
          prompt: "Pour after: {steps.boil.output}"
      """
    When a coordinator connects
    And it calls pool_invoke_workflow with
      """
      {"workflow": "brew", "arguments": {"leaf": "oolong"}, "idempotency_key": "tea"}
      """
    Then it is given
      | workflow | "brew" |
    When it calls pool_invoke_workflow with
      """
      {"workflow": "brew", "arguments": {"leaf": "sencha"}, "idempotency_key": "tea"}
      """
    Then it is told "[idempotency_conflict] The idempotency key was used before with other arguments"

  Scenario Outline: What a workflow does not take is refused
    Given a pool of 1 slot
    When a coordinator connects
    And it calls pool_invoke_workflow with
      """
      {"workflow": "<workflow>", "arguments": {}}
      """
    Then it is told "<text>"

    Examples:
      | workflow       | text                                                                         |
      | review_and_fix | [invalid_argument] arguments.review_target: review_and_fix needs it          |
      | reveiw_and_fix | [not_found] There is no workflow 'reveiw_and_fix'. Did you mean 'review_and_ |

  Scenario Outline: A fault in a file is told with its line
    Given a pool of 1 slot
    And the project has the file ".claude-pool/workflows/brew.yaml"
      """
      description: Brews.
      steps:
        - name: boil
          prompt: Boil water.
        - <fault>
      """
    When a coordinator connects
    And it calls pool_list_workflows with
      """
      {}
      """
    Then it is given
      | problems | ["WORK/.claude-pool/workflows/brew.yaml:5: <problem>"] |

    Examples:
      | fault                                                | problem                                                                                            |
      | {name: boil, prompt: Again.}                         | has two steps named boil, first in line 3                                                          |
      | {name: pour, promt: Pour.}                           | a step has no key 'promt'; did you mean 'prompt'?                                                  |
      | {name: pour, prompt: "See {steps.boli.output}"}      | prompt speaks of {steps.boli.output}, but no such step is before it; did you mean 'boil'?          |
      | {name: pour, prompt: &a Pour.}                       | holds an anchor (&a); write the value where it belongs                                             |
