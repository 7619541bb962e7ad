Feature: Values of credentials are neither written nor told

  A pool writes down all that it does, and its log is read, copied and sent to others. The keys and passwords in
  its environment do not belong there. What a slot prints of them is replaced by their names before anything is
  written or told. A prompt that holds one is refused, and never altered: whoever wrote it should know.

  @cli
  Scenario: A prompt that holds one is refused
    Given a pool of 1 slot
    When the coordinator submits A, which answers "sk-ant-dummy"
    Then the coordinator is refused with invalid_argument

  @cli
  Scenario: What a slot prints of one is told by its name
    Given a pool of 1 slot with
      | permission mode | bypassPermissions |
    When the coordinator runs A, which wants to run "printenv ANTHROPIC_API_KEY" and is told the result
    Then A is completed
    And A answers "[redacted:ANTHROPIC_API_KEY]"
