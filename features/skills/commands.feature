Feature: Commands in a skill run only where the user allows it

  A skill may ask for the output of a command: `` !`git status` ``. A project that one has just cloned could use
  that to run anything, so nothing runs until the user, and not the project, says `--allow-skill-commands`. Then
  commands in the files of the project and of the user run; arguments reach them as variables and never as text.

  Scenario: Without leave a command stays as it is written
    Given a pool of 1 slot
    And the project has the file ".claude-pool/skills/where/SKILL.md"
      """
      ---
      description: Says where it is.
      ---
      You are in !`basename $PWD`.
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "where"}
      """
    Then it is given
      | output | "echo: You are in !`basename $PWD`." |
    When it calls pool_skill_get with
      """
      {"name": "where"}
      """
    Then it is given
      | commands      | ["basename $PWD"]                                                                    |
      | runs_commands | false                                                                                |
      | note          | "Its commands stay as written: the pool runs without --allow-skill-commands."        |

  Scenario: With leave its output takes its place, and arguments are variables
    Given a pool of 1 slot with
      | skill commands | allowed |
    And the project has the file ".claude-pool/skills/where/SKILL.md"
      """
      ---
      description: Says where it is.
      metadata:
        arguments:
          - name: word
      ---
      In !`basename $PWD`: !`echo "$ARGUMENT_WORD"`.
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "where", "arguments": {"word": "$(touch canary)"}}
      """
    Then it is given
      | output | "echo: In w: $(touch canary)." |

  Scenario: A command that fails says so in the prompt
    Given a pool of 1 slot with
      | skill commands | allowed |
    And the project has the file ".claude-pool/skills/fails/SKILL.md"
      """
      ---
      description: Fails.
      ---
      Result: !`exit 3`
      """
    When a coordinator connects
    And it calls pool_skill_run with
      """
      {"skill": "fails"}
      """
    Then it is given
      | output | "echo: Result: [command failed: exit 3: exit code 3]" |

  Scenario: Commands of an added skill never run
    Given a pool of 1 slot with
      | skill commands | allowed |
    When a coordinator connects
    And it calls pool_skill_add with
      """
      {"name": "added", "description": "Added.", "prompt": "You are in !`basename $PWD`."}
      """
    And it calls pool_skill_run with
      """
      {"skill": "added"}
      """
    Then it is given
      | output | "echo: You are in !`basename $PWD`." |
