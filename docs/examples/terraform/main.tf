terraform {
  required_providers {
    zitadel = {
      source  = "zitadel/zitadel"
      version = "3.3.0"
    }
  }
}

variable "port" {}

variable "access_token" {
  sensitive = true
}

provider "zitadel" {
  domain       = "localhost"
  port         = var.port
  insecure     = true # http
  access_token = var.access_token
}

resource "zitadel_org" "acme" {
  name = "Acme"
}

resource "zitadel_project" "messages" {
  org_id = zitadel_org.acme.id
  name   = "messages"
}

resource "zitadel_project_role" "messages" {
  for_each     = toset(["read:messages", "write:messages"])
  org_id       = zitadel_org.acme.id
  project_id   = zitadel_project.messages.id
  role_key     = each.key
  display_name = each.key
}

resource "zitadel_application_api" "api" {
  org_id           = zitadel_org.acme.id
  project_id       = zitadel_project.messages.id
  name             = "api"
  auth_method_type = "API_AUTH_METHOD_TYPE_BASIC"
}

resource "zitadel_application_oidc" "front_end" {
  org_id           = zitadel_org.acme.id
  project_id       = zitadel_project.messages.id
  name             = "front-end"
  app_type         = "OIDC_APP_TYPE_USER_AGENT"
  auth_method_type = "OIDC_AUTH_METHOD_TYPE_NONE"
  grant_types      = ["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"]
  response_types   = ["OIDC_RESPONSE_TYPE_CODE"]
  redirect_uris    = ["http://localhost:3000/callback"]
  dev_mode         = true # http
}

resource "zitadel_machine_user" "robot" {
  org_id    = zitadel_org.acme.id
  user_name = "robot"
  name      = "Robot"
}

resource "zitadel_personal_access_token" "robot" {
  org_id  = zitadel_org.acme.id
  user_id = zitadel_machine_user.robot.id
}

resource "zitadel_user_grant" "robot" {
  org_id     = zitadel_org.acme.id
  project_id = zitadel_project.messages.id
  user_id    = zitadel_machine_user.robot.id
  role_keys  = [zitadel_project_role.messages["read:messages"].role_key]
}

output "environment" { # the settings of the API, and a token
  sensitive = true
  value = {
    ZITADEL_PROJECT_ID  = zitadel_project.messages.id
    CLIENT_ID           = zitadel_application_api.api.client_id
    CLIENT_SECRET       = zitadel_application_api.api.client_secret
    ZDEMO_APP_CLIENT_ID = zitadel_application_oidc.front_end.client_id
    PAT                 = zitadel_personal_access_token.robot.token
  }
}
