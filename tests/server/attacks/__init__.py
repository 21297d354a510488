"""What attackers try, each as a test over real connections."""
