Feature: A coordinator finds the pool's tools by their names

  A coordinator that connects is told which tools there are. Each belongs to a toolset, and a connection has
  the toolsets it asked for, so that a small coordinator is not shown what it will never use. Tools that
  change nothing say so, and may then be called without asking and side by side.

  Scenario: The default tools
    Given a pool of 1 slot
    When a coordinator connects
    Then it is offered the tools
      | tool                    | changes nothing |
      | pool_run                | no              |
      | pool_submit             | no              |
      | pool_fan_out            | no              |
      | pool_result             | yes             |
      | pool_wait               | yes             |
      | pool_cancel             | no              |
      | pool_list_tasks         | yes             |
      | pool_status             | yes             |
      | pool_session_metrics    | yes             |
      | pool_drain              | no              |
      | pool_resume             | no              |
      | pool_budget             | no              |
      | pool_chain              | no              |
      | pool_submit_chain       | no              |
      | pool_fan_out_chains     | no              |
      | pool_chain_result       | yes             |
      | pool_cancel_chain       | no              |
      | pool_submit_with_review | no              |
      | pool_approve_result     | no              |
      | pool_reject_result      | no              |
      | pool_list_questions     | yes             |
      | pool_answer_question    | no              |
      | context_set             | no              |
      | context_get             | yes             |
      | context_delete          | no              |
      | context_list            | yes             |
      | pool_configure_slot     | no              |
      | pool_find_slots         | yes             |
      | pool_claim              | no              |
      | pool_scale_up           | no              |
      | pool_scale_down         | no              |
      | pool_set_target_slots   | no              |
      | pool_skill_run          | no              |
      | pool_skill_list         | yes             |
      | pool_skill_get          | yes             |
      | pool_skill_add          | no              |
      | pool_skill_remove       | no              |
      | pool_skill_save         | no              |
      | pool_skill_eject        | no              |
      | pool_invoke_workflow    | no              |
      | pool_list_workflows     | yes             |

  Scenario: A toolset of its own
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "debug"
    Then it is offered the tools
      | tool        | changes nothing |
      | pool_why    | yes             |
      | pool_replay | yes             |
      | pool_fork   | no              |

  Scenario: A tool outside of its toolsets says where it is
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "context"
    And it calls pool_status with
      """
      {}
      """
    Then it is told "[not_found] There is no tool pool_status in this connection. It belongs to the toolset core;"
