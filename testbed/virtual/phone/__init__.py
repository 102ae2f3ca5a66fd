"""An Android phone as software: the adb device protocol, a shell, screens and apps."""
