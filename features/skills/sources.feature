Feature: A skill is a file, and the nearest one holds

  A prompt that is worth writing well is worth keeping. A skill is such a prompt with a name, in a file
  `NAME/SKILL.md` that other programs read too. Some come with the program, some lie in the user's home, some in
  the project, and a caller may add one for as long as the pool lives; of several with one name the nearest
  holds. Files are read again when they change, and one that is broken is told of and hinders nothing else.

  Background:
    Given a pool of 1 slot
    And the project has the file ".claude-pool/skills/greet/SKILL.md"
      """
      ---
      name: greet
      description: Greets someone.
      argument-hint: [who]
      metadata:
        arguments:
          - name: who
            description: Whom to greet.
            required: true
        config:
          max_turns: 3
      ---

      Say hello to {who}.
      """

  Scenario: A skill runs as a task
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "greet", "arguments": {"who": "Ann"}}
      """
    Then it is given
      | state  | "completed"               |
      | output | "echo: Say hello to Ann." |
      | skill  | "greet@0e8486461a99dae2"  |

  Scenario: A skill tells what it is
    When a coordinator connects
    And it calls pool_skill_get with
      """
      {"name": "greet"}
      """
    Then it is given
      | source                  | "project"        |
      | scope                   | "task"           |
      | arguments.0.description | "Whom to greet." |
      | config                  | {"max_turns": 3} |
      | customized              | false            |

  Scenario: A skill of the project holds over a built-in one
    Given the project has the file ".claude-pool/skills/refactor/SKILL.md"
      """
      ---
      description: Ours.
      ---
      Do it our way.
      """
    When a coordinator connects
    And it calls pool_skill_get with
      """
      {"name": "refactor"}
      """
    Then it is given
      | source     | "project"        |
      | beneath    | ["builtin"]      |
      | prompt     | "Do it our way." |

  Scenario: An added skill holds over all others, until it is removed
    When a coordinator connects
    And it calls pool_skill_add with
      """
      {"name": "greet", "description": "Greets the world.", "prompt": "Say hello to the world."}
      """
    Then it is given
      | overwritten | true |
    When it calls pool_skill_remove with
      """
      {"name": "greet"}
      """
    Then it is given
      | source | "runtime" |
      | now    | "project" |

  Scenario: A file that changes holds from then on
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "greet", "arguments": {"who": "Ann"}}
      """
    And the project has the file ".claude-pool/skills/greet/SKILL.md"
      """
      ---
      description: Says goodbye.
      ---
      Say goodbye.
      """
    And it calls pool_skill_run with
      """
      {"skill": "greet"}
      """
    Then it is given
      | output | "echo: Say goodbye." |

  Scenario: A broken file is told of with its line
    Given the project has the file ".claude-pool/skills/broken/SKILL.md"
      """
      ---
      name: broken
      name: twice
      ---
      Do it.
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "broken"}
      """
    Then it is told "[not_found] There is no skill 'broken'."
    When it calls pool_skill_list with
      """
      {"source": "project"}
      """
    Then it is given
      | skills.0.name | "greet" |

  Scenario: A built-in skill is ejected to be changed
    When a coordinator connects
    And it calls pool_skill_eject with
      """
      {"name": "summarize"}
      """
    And it calls pool_skill_get with
      """
      {"name": "summarize"}
      """
    Then it is given
      | source  | "project"   |
      | beneath | ["builtin"] |

  Scenario Outline: Nothing is written outside of the project
    When a coordinator connects
    And it calls pool_skill_save with
      """
      {"name": "greet", "dir": "<dir>"}
      """
    Then it is told "[invalid_argument] dir: it leads out of the project"

    Examples:
      | dir     |
      | ..      |
      | /etc    |
      | a/../.. |
