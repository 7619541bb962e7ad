Feature: Arguments of a skill are data

  Arguments come from whoever calls, and often from what a model said before; so they are put into the prompt
  and not obeyed. Rendering is one pass: what is put in is not looked at again, and adds no placeholder, no
  command and no file. What a skill does not take, or needs and is not given, is refused before it costs anything.

  Scenario Outline: Every form of a placeholder
    Given a pool of 1 slot
    And the project has the file ".claude-pool/skills/pair/SKILL.md"
      """
      ---
      description: Names two things.
      metadata:
        arguments:
          - name: first
          - name: second
      ---
      <prompt>
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "pair", "arguments": {"second": "tea", "first": "Ann"}}
      """
    Then it is given
      | output | "echo: <output>" |

    Examples:
      | prompt                          | output               |
      | {first} drinks {second}         | Ann drinks tea       |
      | $0 drinks $1                    | Ann drinks tea       |
      | $ARGUMENTS[0] and $ARGUMENTS[1] | Ann and tea          |
      | all: $ARGUMENTS                 | all: Ann tea         |
      | $5.00, ${first}, {first}        | $5.00, ${first}, Ann |

  Scenario Outline: A value is not looked at again
    Given a pool of 1 slot
    And the project has the file ".claude-pool/skills/pair/SKILL.md"
      """
      ---
      description: Names two things.
      metadata:
        arguments:
          - name: first
          - name: second
      ---
      Take {first} and {second}.
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "pair", "arguments": {"first": "<value>", "second": "tea"}}
      """
    Then it is given
      | output | "echo: Take <value> and tea." |

    Examples:
      | value                     |
      | {second}                  |
      | $1 $ARGUMENTS             |
      | !`touch canary`           |
      | '; touch canary; '        |
      | $(touch canary)           |
      | ${CLAUDE_SKILL_DIR}       |

  Scenario Outline: What a skill does not take is refused
    Given a pool of 1 slot
    And the project has the file ".claude-pool/skills/count/SKILL.md"
      """
      ---
      description: Counts.
      metadata:
        arguments:
          - name: limit
            required: true
            type: integer
      ---
      Count to {limit}.
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "count", "arguments": <arguments>}
      """
    Then it is told "<text>"

    Examples:
      | arguments               | text                                                             |
      | {}                      | [invalid_argument] arguments.limit: count needs it               |
      | {"limit": "many"}       | [invalid_argument] arguments.limit: is not a whole number        |
      | {"limt": 3, "limit": 3} | [invalid_argument] arguments.limt: count has no such argument    |

  Scenario: A step of a chain may be a skill that sees what came before
    Given a pool of 1 slot
    And the project has the file ".claude-pool/skills/judge/SKILL.md"
      """
      ---
      description: Judges.
      metadata:
        arguments:
          - name: what
      ---
      Judge {what} after {_previous_output}
      """
    When a coordinator connects
    And it calls pool_chain with
      """
      {"steps": [{"name": "plan", "prompt": "[[reply: a plan]] Plan."},
                 {"name": "judge", "skill": "judge", "arguments": {"what": "<{steps.plan.output}>"}}]}
      """
    Then it is given
      | state        | "completed"                         |
      | final_output | "echo: Judge <a plan> after a plan" |
