package remote

import (
	"context"

	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Command is the resource command:remote:Command: a command run on a machine when the resource is created, updated or
// deleted. It has no read, so a refresh never finds drift.
type Command struct{}

// CommandInputs are what a program writes.
type CommandInputs struct {
	Triggers               *[]any            `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create                 *string           `pulumi:"create,optional"`
	Update                 *string           `pulumi:"update,optional"`
	Delete                 *string           `pulumi:"delete,optional"`
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
	Connection             *Connection       `pulumi:"connection" provider:"secret"`
	Environment            map[string]string `pulumi:"environment,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
}

// CommandState is what the stack records: the inputs and what the last run printed.
type CommandState struct {
	CommandInputs
	Output
}

// Output is what a run printed, each stream without its last line feed.
type Output struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command run on a machine over SSH.")
}

// Annotate describes the inputs in the schema.
func (i *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&i.Triggers, "Values of any type; a change of one replaces the resource.")
	a.Describe(&i.Create, "Run at creation, and at an update where there is no update command.")
	a.Describe(&i.Update, "Run when any input but the triggers has changed.")
	a.Describe(&i.Delete, "Run at deletion, with the inputs of the last successful create or update.")
	a.Describe(&i.Stdin, "The command's standard input.")
	a.Describe(&i.Logging, "Which streams to show while the command runs. Defaults to both.")
	a.Describe(&i.Connection, "How to connect to the machine.")
	a.Describe(&i.Environment, "Environment variables; the SSH server must accept each one (AcceptEnv).")
	a.Describe(&i.AddPreviousOutputInEnv,
		"Pass the last run's output as PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR. Defaults to true.")
}

// Annotate describes the outputs in the schema.
func (o *Output) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "What the command wrote to its standard output.")
	a.Describe(&o.Stderr, "What the command wrote to its standard error.")
}

// Create runs the create command, if there is one. An error saves nothing, so the next update runs it again.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandState], error) {
	state := CommandState{CommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		state.Output, err = req.Inputs.run(ctx, *req.Inputs.Create, Output{})
	}
	return infer.CreateResponse[CommandState]{ID: id, Output: state}, err
}

// Update runs the update command, else the create command, and with neither keeps the old output. An error keeps the
// old state, so the next update runs it again.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	state := CommandState{CommandInputs: req.Inputs, Output: req.State.Output}
	command := req.Inputs.Update
	if command == nil {
		command = req.Inputs.Create
	}
	var err error
	if !req.DryRun && command != nil {
		state.Output, err = req.Inputs.run(ctx, *command, req.State.Output)
	}
	return infer.UpdateResponse[CommandState]{Output: state}, err
}

// Delete runs the recorded delete command over the recorded connection. Without one it does not connect.
func (*Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandState]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	_, err := req.State.run(ctx, *req.State.Delete, req.State.Output)
	return infer.DeleteResponse{}, err
}
