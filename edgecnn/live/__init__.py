"""The application behind `edgecnn run`: configuration, session, outputs, report."""
