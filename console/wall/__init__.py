"""The live wall. Stands on `visit`; knows no other role's room."""
